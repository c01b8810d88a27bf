var libraFixture = 1;
